import type { Register } from '../cli.ts'
import { printable } from '../output.ts'

interface Answer {
  readonly principal: { readonly id: string; readonly name: string }
}

export const registerLock: Register = (program) => {
  const act = async (verb: 'lock' | 'unlock', reference: string, reason: string): Promise<string> => {
    const { openApiClient } = await import('../login/login-store.ts')
    const api = await openApiClient(program.opts())
    const path = `/api/v1/principals/${encodeURIComponent(reference)}/${verb}`
    const { principal } = await api.post<Answer>(path, reason ? { reason } : {})
    return `${printable(principal.name)} (${principal.id})`
  }
  program
    .command('lock <principal>')
    .description('freeze an identity now: its tokens are dead and its sessions are cut (admin)')
    .option('--reason <text>', 'kept in the audit log', '')
    .action(async (reference: string, options: { reason: string }) => {
      process.stdout.write(`${await act('lock', reference, options.reason)} is locked\n`)
    })
  program
    .command('unlock <principal>')
    .description('let a frozen identity sign in again (admin); tokens and sessions do not come back')
    .option('--reason <text>', 'kept in the audit log', '')
    .action(async (reference: string, options: { reason: string }) => {
      process.stdout.write(`${await act('unlock', reference, options.reason)} may sign in again\n`)
    })
}
