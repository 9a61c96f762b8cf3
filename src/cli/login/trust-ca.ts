import { readFileSync } from 'node:fs'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { BrokerError } from '../../../proxy/session.ts'

/**
 * Makes this process trust the roots of a PEM file besides those it trusts already, for HTTPS and websockets alike.
 * Programs we start inherit it through `NODE_EXTRA_CA_CERTS`.
 * @throws BrokerError CONFIG_INVALID when the file can't be read or holds no certificate
 */
export function trustCa(path: string, env: NodeJS.ProcessEnv): void {
  const pem = read(path)
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g)
  if (!certificates) throw new BrokerError('CONFIG_INVALID', `${path} holds no certificate in PEM form`)
  setDefaultCACertificates([...getCACertificates('default'), ...certificates])
  env.NODE_EXTRA_CA_CERTS ??= path
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const hint = 'run: sallyport login --ca FILE'
    throw new BrokerError('CONFIG_INVALID', `cannot read the CA file ${path}`, { cause, hint })
  }
}
