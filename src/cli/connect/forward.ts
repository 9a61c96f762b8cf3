import type { Register } from '../cli.ts'

export const registerForward: Register = (program) => {
  program
    .command('forward <resource> <[local:]host:port>')
    .description(
      'open a local port that leads through an instance to a port it reaches, until Ctrl-C or until the grant ends',
    )
    .option('--level <level>', 'access level (default: the one you hold a grant for)')
    .action(async (resource: string, to: string, options: { level?: string }) => {
      const { untilStopped, withDeps } = await import('./connect-deps.ts')
      const { forward } = await import('./forward-session.ts')
      process.exitCode = await withDeps(program.opts(), (deps) =>
        untilStopped((signal) => forward({ ...deps, signal }, resource, to, options)),
      )
    })
}
