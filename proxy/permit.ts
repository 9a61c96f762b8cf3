import { BrokerError, type PermitFields, type SessionPermit } from './session.ts'

const genuine = new WeakSet<object>()

/** Makes the proof that a session may dial. The linter allows only the session host to import it. */
export function makePermit(fields: PermitFields): SessionPermit {
  const permit = Object.freeze({ ...fields }) as SessionPermit
  genuine.add(permit)
  return permit
}

/** Called before anything is dialled. @throws BrokerError INTERNAL for anything that {@link makePermit} did not make */
export function checkPermit(permit: SessionPermit): void {
  if (!genuine.has(permit)) throw new BrokerError('INTERNAL', 'this connection has no permit')
}
