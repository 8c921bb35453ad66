import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const SERVICE = "http://127.0.0.1:5000";
const MANTINE_STYLES = fileURLToPath(import.meta.resolve("@mantine/core/styles.css"));
/** What the service answers itself while `npm run dev` serves the console. */
const DOORS =
  "^/(library|system|medias|api|uploads|jobs|events|transfers|transfer_|sync|runnings|get|cancel|create|add_data|complete|recordings|processes|health|ready|metrics|openapi.json|docs)";

/** Refuses a build in which a part of Mantine would be without its styles. */
const styled: Plugin = {
  name: "styled",
  generateBundle(_options, bundle) {
    const known = classes(readFileSync(MANTINE_STYLES, "utf8"));
    const scripts = new Set<string>();
    const styles = new Set<string>();
    for (const file of Object.values(bundle)) {
      if (file.type === "chunk") {
        addAll(scripts, classes(file.code));
      } else if (file.fileName.endsWith(".css")) {
        addAll(styles, classes(file.source.toString()));
      }
    }
    const lacking = [...scripts].filter((name) => known.has(name) && !styles.has(name));
    if (lacking.length > 0) {
      this.error(`src/app/mantine.css lacks what @mantine/core/styles says of ${lacking}`);
    }
  },
};

function classes(text: string): Set<string> {
  return new Set(text.match(/\bm_[0-9a-f]+\b/g));
}

function addAll(set: Set<string>, more: Set<string>): void {
  for (const each of more) {
    set.add(each);
  }
}

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
  plugins: [react(), styled, compressed],
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
