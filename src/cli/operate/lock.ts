import type { Register } from '../cli.ts'
import { printLine } from '../output.ts'

export const registerLock: Register = (program) => {
  const act = async (verb: 'lock' | 'unlock', reference: string, reason: string | undefined): Promise<string> => {
    const { openApiClient } = await import('../login/login-store.ts')
    const api = await openApiClient(program.opts())
    const body = { reason: reason || undefined }
    const { principal } = await api.call(`POST /api/v1/principals/:id/${verb}`, { params: { id: reference }, body })
    return `${principal.name} (${principal.id})`
  }
  program
    .command('lock <principal>')
    .description('lock an identity now: its tokens are revoked and its sessions are cut (admin)')
    .option('--reason <text>', 'kept in the audit log')
    .action(async (reference: string, options: { reason?: string }) => {
      printLine(`${await act('lock', reference, options.reason)} is locked`)
    })
  program
    .command('unlock <principal>')
    .description('let a locked identity sign in again (admin); revoked tokens stay revoked')
    .option('--reason <text>', 'kept in the audit log')
    .action(async (reference: string, options: { reason?: string }) => {
      printLine(`${await act('unlock', reference, options.reason)} may sign in again`)
    })
}
