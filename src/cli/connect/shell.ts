import type { Register } from '../cli.ts'

export const registerShell: Register = (program) => {
  program
    .command('shell <resource>')
    .description('open a shell on an instance in this terminal; ~. at the beginning of a line leaves it')
    .option('--level <level>', 'access level (default: the one you hold a grant for)')
    .action(async (resource: string, options: { level?: string }) => {
      const { withDeps } = await import('./connect-deps.ts')
      const { shell } = await import('./shell-session.ts')
      process.exitCode = await withDeps(program.opts(), (deps) => shell(deps, resource, options))
    })
}
