import { localProtocolNamed, localProtocols } from '../../../proxy/local/protocols.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { ConnectOptions } from './connect-options.ts'
import type { Target } from './target.ts'

/** Protocols of the resources that one can connect to. */
export const connectable: readonly string[] = Object.keys(localProtocols)

/** What depends on the protocol that a resource turns out to speak. @throws BrokerError INVALID_INPUT */
export function checkOptions(
  { id, protocol }: Pick<Target, 'id' | 'protocol'>,
  { print, writePgpass }: Pick<ConnectOptions, 'print' | 'writePgpass'>,
): void {
  const { settings, passwordFile } = localProtocolNamed(protocol)
  if (print !== undefined && !settings.forms.includes(print))
    throw new BrokerError('INVALID_INPUT', `--print ${print} is not for ${id}, which speaks ${protocol}`, {
      hint: `choose one of ${settings.forms.join(', ')}`,
    })
  if (writePgpass && !passwordFile)
    throw new BrokerError('INVALID_INPUT', `--write-pgpass is not for ${id}: clients of ${protocol} read no such file`)
}
