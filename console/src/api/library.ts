import { answered, api } from "~/api/client";
import type { components, operations } from "~/api/schema";

export type LibraryItem = components["schemas"]["LibraryItem"];
export type LibraryItems = components["schemas"]["LibraryItems"];
export type LibraryKind = components["schemas"]["LibraryKind"];
export type LibraryMedia = components["schemas"]["LibraryMedia"];
export type LibraryJob = components["schemas"]["LibraryJob"];
export type LibraryParameters = NonNullable<operations["LibraryIndex"]["parameters"]["query"]>;

/** Return one page of the medias that pass the filters among `query`. */
export function findMedias(query: LibraryParameters, signal?: AbortSignal): Promise<LibraryItems> {
  return answered(api.GET("/library", { params: { query }, signal }));
}

/** Return everything that is known of one media. */
export function showMedia(id: string): Promise<LibraryMedia> {
  return answered(api.GET("/library/{media_id}", { params: { path: { media_id: id } } }));
}

/** Return the newest jobs that worked on a media. */
export async function mediaJobs(id: string): Promise<LibraryJob[]> {
  const params = { path: { media_id: id } };
  return (await answered(api.GET("/library/{media_id}/jobs", { params }))).items;
}

/** Delete an original, with everything that was made of it, also while the page is being left. */
export async function deleteMedia(id: string): Promise<void> {
  const params = { path: { file_id: id } };
  await answered(api.DELETE("/api/file/{file_id}", { params, keepalive: true }));
}

export async function addTags(id: string, tags: string[]): Promise<void> {
  const params = { path: { file_id: id } };
  await answered(api.POST("/api/file/{file_id}/tags", { params, body: tags }));
}

/** Remove all of these tags; the service refuses when one of them is not there. */
export async function removeTags(id: string, tags: string[]): Promise<void> {
  const params = { path: { file_id: id } };
  await answered(api.DELETE("/api/file/{file_id}/tags", { params, body: tags }));
}
