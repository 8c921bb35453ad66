// Serves @tus/server with its file store, as its documentation shows:
//
//     node server.mjs PORT FOLDER
//
// at http://127.0.0.1:PORT/uploads/, with the bytes in FOLDER. It prints a line once it listens.
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const [port, directory] = process.argv.slice(2);
const server = new Server({ path: "/uploads", datastore: new FileStore({ directory }) });
server.listen({ host: "127.0.0.1", port: Number(port) }, () => console.log("listening"));
