/** What a door said was wrong with a request, or with itself. */
export class ServiceError extends Error {
  readonly status: number;
  readonly requestId: string | null;

  constructor(response: Response, body: unknown) {
    super(
      sentence(body) ?? `The service answered ${response.status} ${response.statusText}.`.trim(),
    );
    this.name = "ServiceError";
    this.status = response.status;
    this.requestId = response.headers.get("X-Request-Id");
  }
}

/** There was no answer at all. */
export class UnreachableError extends Error {
  constructor(options?: ErrorOptions) {
    super(
      "The service did not answer. Is it running, and is this machine connected to it?",
      options,
    );
    this.name = "UnreachableError";
  }
}

/** Return the sentence of an error of any door: JSON:API, problem details or plain JSON. */
function sentence(body: unknown): string | null {
  if (typeof body !== "object" || body === null) return null;
  if ("errors" in body && Array.isArray(body.errors)) {
    const details = body.errors.map(
      (one: { detail?: string; title?: string }) => one.detail ?? one.title,
    );
    return details.filter(Boolean).join(" ") || null;
  }
  for (const name of ["detail", "error", "message"]) {
    const text = (body as Record<string, unknown>)[name];
    if (typeof text === "string" && text !== "") return text;
  }
  return null;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
