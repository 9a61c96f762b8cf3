import type { Register } from '../cli.ts'

interface MysqlOptions {
  readonly level?: string
  readonly database?: string
}

export const registerMysql: Register = (program) => {
  program
    .command('mysql <resource> [args...]')
    .description('run mariadb or mysql on a resource; arguments after -- are passed to it')
    .usage('[options] <resource> [-- ARGS]')
    .option('--level <level>', 'access level (default: the one you hold a grant for)')
    .option('--database <name>', 'database to use (default: the one configured for the resource)')
    .action(async (resource: string, args: string[], options: MysqlOptions) => {
      const { withDeps } = await import('./connect-deps.ts')
      const { mysql } = await import('./mysql-session.ts')
      process.exitCode = await withDeps(program.opts(), (deps) => mysql(deps, resource, args, options))
    })
}
