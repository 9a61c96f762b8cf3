import type { Register } from '../cli.ts'

export const registerCopy: Register = (program) => {
  program
    .command('cp <from> <to>')
    .description(
      'copy a file, or with -r a folder, to or from an instance: LOCAL RESOURCE:PATH or RESOURCE:PATH LOCAL; each file is on record with its path, size and SHA-256',
    )
    .option('-r, --recursive', 'copy folders with all that is in them; links are left out')
    .option('--level <level>', 'access level (default: the one you hold a grant for)')
    .option('--json', 'print JSON')
    .action(async (from: string, to: string, options: { recursive?: boolean; level?: string; json?: boolean }) => {
      const { untilStopped, withDeps } = await import('../connect/connect-deps.ts')
      const { copy } = await import('./copy-files.ts')
      process.exitCode = await withDeps(program.opts(), (deps) =>
        untilStopped((signal) => copy({ ...deps, signal }, from, to, options)),
      )
    })
}
