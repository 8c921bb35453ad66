import { answered, api } from "~/api/client";
import type { components, operations } from "~/api/schema";

export type Step =
  operations["MediasProcessNameProcess"]["requestBody"]["content"]["application/json"]["steps"][number];
export type JobState = components["schemas"]["JobStatus"];

/** The key of what is known of one media; of all medias without an id. */
export function mediaKey(id?: string): string[] {
  return id === undefined ? ["library", "media"] : ["library", "media", id];
}

/** Let a job do `steps` with the original of this name, and return the job's id. */
export async function processMedia(resource: string, steps: Step[]): Promise<string> {
  const params = { path: { name: resource } };
  const { data } = await answered(api.POST("/medias/process/{name}", { params, body: { steps } }));
  return data.id;
}
