import path from 'node:path'
import { build } from 'esbuild'

const root = path.resolve(import.meta.dirname, '..')

/**
 * Puts the program and its packages into few files: a daemon loads two thousand otherwise, and the suite starts hundreds.
 * @returns its main file
 */
export async function bundleProgram(): Promise<string> {
  const outdir = path.join(root, '.tap/program')
  await build({
    absWorkingDir: root,
    entryPoints: ['src/main.ts', 'src/store/sqlite/sqlite-worker.ts', 'src/daemon/fronts/front-main.ts'],
    entryNames: '[name]',
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: 'linked',
    external: ['@aws-sdk/*', '@smithy/*'], // loaded by few, and credentials do not survive it
    logLevel: 'warning',
    // For packages of CommonJS.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  })
  return path.join(outdir, 'main.js')
}
