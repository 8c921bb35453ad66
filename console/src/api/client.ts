import createClient from "openapi-fetch";
import { ServiceError, UnreachableError } from "~/api/errors";
import type { paths } from "~/api/schema";

/** The service's HTTP interface, typed by its own description of it. */
export const api = createClient<paths>({ baseUrl: "", fetch: reach });

async function reach(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (cause) {
    if (request.signal.aborted) throw cause;
    throw new UnreachableError({ cause });
  }
}

export interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * Return what the service answered.
 *
 * @throws ServiceError saying what the service said was wrong
 */
export async function answered<T>(asked: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await asked;
  if (!response.ok) throw new ServiceError(response, error);
  return data as T;
}
