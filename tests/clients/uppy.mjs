// Uploads a file with Uppy in Node: node uppy.mjs TASK, where TASK is JSON with
//
//     file      path of the file
//     name      what it is called
//     options   of @uppy/tus
//     removeAt  how many bytes were sent when the file is removed again; it stays without
//
// Prints JSON as tus.mjs does.
import { readFile } from "node:fs/promises";
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";

const task = JSON.parse(process.argv[2]);
const outcome = { url: null, answers: [], offsets: [], error: null };
const removed = Promise.withResolvers();
const uppy = new Uppy().use(Tus, {
  ...task.options,
  onAfterResponse(request, response) {
    outcome.answers.push(`${request.getMethod()} ${response.getStatus()}`);
    if (request.getMethod() === "HEAD") outcome.offsets.push(Number(response.getHeader("Upload-Offset")));
    if (request.getMethod() === "DELETE") removed.resolve(request.getURL());
  },
});
uppy.on("upload-progress", (file, { bytesUploaded }) => {
  if (bytesUploaded >= task.removeAt) uppy.removeFile(file.id);
});
const data = await readFile(task.file);
// In Node, tus-js-client takes a Buffer where Uppy expects a Blob, which has a size.
uppy.addFile({ name: task.name, type: "video/mp4", data: Object.assign(data, { size: data.length }) });
const { successful, failed } = await uppy.upload();
outcome.url = task.removeAt ? await removed.promise : successful[0]?.uploadURL;
outcome.error = failed[0]?.error ?? null;
console.log(JSON.stringify(outcome));
