import type { Register } from '../cli.ts'

interface PsqlOptions {
  readonly level?: string
  readonly database?: string
}

export const registerPsql: Register = (program) => {
  program
    .command('psql <resource> [args...]')
    .description('run psql on a resource; arguments after -- are passed to psql')
    .usage('[options] <resource> [-- ARGS]')
    .option('--level <level>', 'access level (default: the one you hold a grant for)')
    .option('--database <name>', 'database to connect to (default: the one configured for the resource)')
    .action(async (resource: string, args: string[], options: PsqlOptions) => {
      const { withDeps } = await import('./connect-deps.ts')
      const { psql } = await import('./psql-session.ts')
      process.exitCode = await withDeps(program.opts(), (deps) => psql(deps, resource, args, options))
    })
}
