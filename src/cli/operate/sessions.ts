import type { SessionView } from '../../contract/sessions.ts'
import type { Register } from '../cli.ts'
import { printJson, printLine, printTable, when } from '../output.ts'

interface ListOptions {
  all?: boolean
  mine?: boolean
  json?: boolean
  watch?: boolean
}

export const registerSessions: Register = (program) => {
  program
    .command('sessions')
    .description('list open sessions')
    .option('--all', 'include sessions that have ended')
    .option('--mine', 'only your own sessions')
    .option('--watch', 'redraw every second until Ctrl-C')
    .option('--json', 'print JSON')
    .action(async (options: ListOptions) => {
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      const query = { open: options.all ? undefined : true, mine: options.mine }
      do {
        const { sessions } = await api.call('GET /api/v1/sessions', { query })
        if (options.watch && process.stdout.isTTY) process.stdout.write('\u001b[2J\u001b[H')
        if (options.json) printJson(sessions)
        else print(sessions)
        if (options.watch) await new Promise((resolve) => setTimeout(resolve, 1000))
      } while (options.watch)
    })
  program
    .command('kill <session>')
    .description('end a session now')
    .option('--reason <text>', 'shown to the owner of the session')
    .action(async (id: string, { reason = '' }: { reason?: string }) => {
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      await api.call('POST /api/v1/sessions/:id/kill', { params: { id }, body: { reason } })
      printLine(`${id} was ended`)
    })
}

function print(sessions: readonly SessionView[]): void {
  printTable(
    ['SESSION', 'WHO', 'RESOURCE', 'LEVEL', 'VIA', 'OPENED', 'ENDS'],
    sessions.map((s) => [
      s.id,
      s.principal,
      s.resourceId,
      s.level,
      s.via,
      when(s.openedAt),
      s.endReason ?? when(s.endsAt),
    ]),
    'no sessions',
  )
}
