// Uploads a file with tus-js-client: node tus.mjs TASK, where TASK is JSON with
//
//     file      path of the file
//     input     how it is handed over: "path" (a file's stream), "buffer", "stream" (of no length)
//     options   of tus-js-client
//     stopAt    how many bytes were sent when the upload is stopped; not stopped without
//     terminate whether stopping also removes it from the server
//     resume    whether to go on with the upload of this file that the storage of URLs knows
//     storage   path of the storage of URLs
//
// Prints JSON: the upload's URL, what the server answered, which bytes it held when it was asked.
import { createReadStream } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import * as tus from "tus-js-client";

const STREAMED_BYTES = 1 << 20;

async function* pieces(path) {
  const file = await open(path);
  for await (const piece of file.createReadStream({ highWaterMark: STREAMED_BYTES })) yield piece;
}

async function contentOf(path, input) {
  if (input === "buffer") return readFile(path);
  if (input === "stream") return Readable.from(pieces(path));
  return createReadStream(path);
}

const task = JSON.parse(process.argv[2]);
const outcome = { url: null, answers: [], offsets: [], error: null };

function report() {
  outcome.url = upload.url;
  console.log(JSON.stringify(outcome));
  process.exit();
}

const upload = new tus.Upload(await contentOf(task.file, task.input), {
  ...task.options,
  ...(task.storage && { urlStorage: new tus.FileUrlStorage(task.storage) }),
  onAfterResponse(request, response) {
    outcome.answers.push(`${request.getMethod()} ${response.getStatus()}`);
    if (request.getMethod() === "HEAD") outcome.offsets.push(Number(response.getHeader("Upload-Offset")));
  },
  async onProgress(sent) {
    if (task.stopAt === undefined || sent < task.stopAt) return;
    task.stopAt = undefined;
    await upload.abort(task.terminate);
    report();
  },
  onSuccess: report,
  onError(error) {
    outcome.error = error.message;
    report();
  },
});
if (task.resume) {
  const [previous] = await upload.findPreviousUploads();
  upload.resumeFromPreviousUpload(previous);
}
upload.start();
