import type { Register } from '../cli.ts'

export const registerShell: Register = (program) => {
  program
    .command('shell <resource> [command...]')
    .description(
      'open a shell on an instance in this terminal, ~. at the beginning of a line leaves it; or run one command there without a terminal: shell RESOURCE -- COMMAND ARGS…',
    )
    .option('--level <level>', 'access level (default: the one you hold a grant for)')
    .action(async (resource: string, words: string[], options: { level?: string }) => {
      const { withDeps } = await import('./connect-deps.ts')
      const { shell } = await import('./shell-session.ts')
      process.exitCode = await withDeps(program.opts(), (deps) => shell(deps, resource, words, options))
    })
}
