import { BrokerError, type PermitFields, type SessionPermit } from './session.ts'

const genuine = new WeakSet<object>()

/** Makes the proof that a session may dial. The linter lets the session host alone import it. */
export function makePermit(fields: PermitFields): SessionPermit {
  const permit = Object.freeze({ ...fields }) as SessionPermit
  genuine.add(permit)
  return permit
}

/** Asked by all that dials. @throws BrokerError INTERNAL for anything that {@link makePermit} did not make */
export function checkPermit(permit: SessionPermit): void {
  if (!genuine.has(permit)) throw new BrokerError('INTERNAL', 'there is no permit for this connection')
}
