import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const outDir = path.resolve(import.meta.dirname, 'dist/ui')

/** The page (src/ui) as the daemon serves it: src/http/routes/ui.ts. */
export default defineConfig({
  root: 'src/ui',
  logLevel: 'error',
  // Stands in the page until the daemon puts the nonce of each answer there.
  html: { cspNonce: 'SALLYPORT_NONCE' },
  plugins: [react(), precompressed()],
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2024',
    // Older targets turn light-dark() into variables that fail where the scheme is set in another file.
    cssTarget: 'chrome123',
    assetsInlineLimit: 0, // the policy allows no data: but for pictures
    modulePreload: { polyfill: false },
  },
})

/** Beside each file what browsers ask for: compressed once, as well as it can be. */
function precompressed(): Plugin {
  return {
    name: 'precompressed',
    async writeBundle(_options, bundle) {
      const files = Object.keys(bundle).filter((name) => /\.(?:js|css|svg)$/.test(name))
      await Promise.all(files.map((name) => compress(path.join(outDir, name))))
    },
  }
}

async function compress(file: string): Promise<void> {
  const text = readFileSync(file)
  writeFileSync(`${file}.br`, await promisify(brotliCompress)(text))
  writeFileSync(`${file}.gz`, await promisify(gzip)(text, { level: 9 }))
}
