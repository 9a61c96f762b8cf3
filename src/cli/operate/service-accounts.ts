import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { type ListOptions, listOptions, printList } from '../lists.ts'
import { printJson, printLine, printTable } from '../output.ts'

export const registerServiceAccounts: Register = (program) => {
  const accounts = program
    .command('service-accounts')
    .description('manage service accounts: each acts for an owner, who has to accept it')
  const client = async () => {
    const { openApiClient } = await import('../login/login-store.ts')
    return openApiClient(program.opts())
  }
  listOptions(accounts.command('ls').description('list the service accounts that you own'), {}).action(
    async (options: ListOptions) => {
      const found = await readList(await client(), 'GET /api/v1/service-accounts', {}, options)
      printList(found, options, (items) => {
        const rows = items.map(({ id, name, groups, active }) => [
          name,
          id,
          groups.join(', ') || '-',
          active ? 'accepted' : 'not accepted',
        ])
        printTable(['NAME', 'ID', 'GROUPS', 'STATE'], rows, 'you own no service accounts')
      })
    },
  )
  accounts
    .command('create <name>')
    .description('create a service account (admin); it acts once its owner has accepted it')
    .option('--owner <person>', 'id or e-mail of the person who answers for it (default: you)')
    .option('--group <group...>', 'groups that rules match, of those that its owner is in')
    .option('--json', 'print JSON')
    .action(async (name: string, options: { owner?: string; group?: string[]; json?: boolean }) => {
      const body = { name, owner: options.owner, groups: options.group }
      const created = await (await client()).call('POST /api/v1/service-accounts', { body })
      if (options.json) return printJson(created)
      const { id, active } = created.principal
      printLine(`${name} is ${id}${active ? '' : `; its owner runs: sallyport service-accounts accept ${name}`}`)
    })
  const decide = async (verb: 'accept' | 'withdraw', id: string) => {
    const api = await client()
    const { principal } = await api.call(`POST /api/v1/service-accounts/:id/${verb}`, { params: { id }, body: {} })
    return principal
  }
  accounts
    .command('accept <name>')
    .description('let a service account that you own act with what both of you hold')
    .action(async (name: string) => {
      const { groups } = await decide('accept', name)
      printLine(`${name} may act now, ${groups.length > 0 ? `in: ${groups.join(', ')}` : 'in no group'}`)
    })
  accounts
    .command('withdraw <name>')
    .description('let it act no longer: its sessions and grants end, and its tokens are void')
    .action(async (name: string) => {
      await decide('withdraw', name)
      printLine(`${name} may not act any more`)
    })
}
