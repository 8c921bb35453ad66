import { brotliCompressSync, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const SERVICE = "http://127.0.0.1:5000";
/** What the service answers itself while `npm run dev` serves the console. */
const DOORS =
  "^/(library|system|medias|api|uploads|jobs|events|transfers|transfer_|sync|runnings|get|cancel|create|add_data|complete|recordings|processes|health|ready|metrics|openapi.json|docs)";

/** Puts smaller files beside each one that compresses, for the service to send. */
const compressed: Plugin = {
  name: "compressed",
  generateBundle: {
    order: "post",
    handler(_options, bundle) {
      for (const [name, file] of Object.entries(bundle)) {
        if (/\.(js|css)$/.test(name)) {
          const content = file.type === "chunk" ? file.code : file.source;
          const gzip = gzipSync(content, { level: 9 });
          this.emitFile({ type: "asset", fileName: `${name}.gz`, source: gzip });
          const brotli = brotliCompressSync(content);
          this.emitFile({ type: "asset", fileName: `${name}.br`, source: brotli });
        }
      }
    },
  },
};

export default defineConfig({
  base: "/console/",
  plugins: [react(), compressed],
  resolve: { tsconfigPaths: true },
  build: {
    outDir: "../src/mediatheque/doors/console/built",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: "es2022",
    sourcemap: false,
  },
  // The doors refuse what a page of another origin asks for.
  server: { proxy: { [DOORS]: { target: SERVICE, changeOrigin: false } } },
});
