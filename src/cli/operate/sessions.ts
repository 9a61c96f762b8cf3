import type { SessionView } from '../../contract/sessions.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { filtersOf, type ListOptions, listOptions, printList } from '../lists.ts'
import { printLine, printTable, shownName, when } from '../output.ts'

export const registerSessions: Register = (program) => {
  const list = program
    .command('sessions')
    .description('list open sessions, newest first')
    .option('--mine', 'only your own sessions')
    .option('--watch', 'redraw every second until Ctrl-C')
  listOptions(list, {
    all: 'also sessions that have ended',
    who: 'only sessions of this principal',
    resource: 'only sessions with this resource',
    time: 'only sessions that were opened',
  }).action(async (options: ListOptions & { mine?: boolean; watch?: boolean }) => {
    const { openApiClient } = await import('../login/login-store.ts')
    const api = await openApiClient(program.opts())
    const query = { ...filtersOf(options), open: options.all ? undefined : true, mine: options.mine }
    do {
      const found = await readList(api, 'GET /api/v1/sessions', query, options)
      if (options.watch && process.stdout.isTTY) process.stdout.write('\u001b[2J\u001b[H')
      printList(found, options, print)
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
      shownName(s.who ?? { id: s.principalId, name: s.principal }),
      s.resourceId,
      s.level,
      s.via,
      when(s.openedAt),
      s.endReason ?? when(s.endsAt),
    ]),
    'no sessions',
  )
}
