import { createPrivateKey, X509Certificate } from 'node:crypto'
import { fileMembers, type Kinds, kindOf } from '../catalog/kind.ts'
import type { ResourceFile } from '../catalog/resource.ts'
import type { Config, TlsFiles } from './config.ts'
import type { Finding } from './finding.ts'
import { readText } from './read-text.ts'
import type { ConfigFile } from './schema.ts'

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const maxPemBytes = 1_000_000
const monthMs = 30 * 86_400_000

/** Certificates, keys and roots in the configuration: present, readable, matching, not expired. @param now epoch ms */
export async function checkFiles(file: ConfigFile, config: Config, kinds: Kinds, now: number): Promise<Finding[]> {
  const { server, listeners, resources } = config
  const own = Object.entries(listeners).flatMap(([protocol, ports]) =>
    ports.map(({ tls }, i) =>
      file.listeners?.[protocol]?.[i]?.tls ? checkPair(`listeners.${protocol}[${i}].tls`, tls, now) : [],
    ),
  )
  const named = resources.map((resource, i) => checkResource(resource, `resources[${i}]`, kinds))
  const web = server.tls ? checkPair('server.tls', server.tls, now) : []
  return (await Promise.all([web, checkStoreTls(config, now), ...own, ...named])).flat()
}

/** What may stand behind `x-file` of a kind's attribute. */
const fileChecks: Readonly<Record<string, (path: string, file: string) => Promise<Finding[]>>> = {
  certificates: checkRoots,
}

async function checkResource(resource: ResourceFile, path: string, kinds: Kinds): Promise<Finding[]> {
  const kind = kindOf(kinds, resource.id)
  const found = Object.entries(kind ? fileMembers(kind) : {}).map(([name, holds]) => {
    const file = resource[name]
    return typeof file === 'string' ? (fileChecks[holds]?.(`${path}.${name}`, file) ?? []) : []
  })
  return (await Promise.all(found)).flat()
}

async function checkStoreTls({ store }: Config, now: number): Promise<Finding[]> {
  const { ca = null, cert = null, key = null } = store.postgres?.tls ?? {}
  return [
    ...(ca === null ? [] : await checkRoots('store.tls.ca', ca)),
    ...(cert === null || key === null ? [] : await checkPair('store.tls', { cert, key }, now)),
  ]
}

async function checkPair(path: string, files: TlsFiles, now: number): Promise<Finding[]> {
  const cert = await read(`${path}.cert`, files.cert)
  const key = await read(`${path}.key`, files.key)
  const unreadable = [cert, key].filter((one) => typeof one !== 'string')
  if (typeof cert !== 'string' || typeof key !== 'string') return unreadable
  return judgePair(path, cert, key, now)
}

/** Pure: whether these two match, and until when. */
export function judgePair(path: string, cert: string, key: string, now: number): Finding[] {
  const certificate = parse(() => new X509Certificate(cert))
  const privateKey = parse(() => createPrivateKey(key))
  const findings: Finding[] = []
  if (!certificate)
    findings.push({
      path: `${path}.cert`,
      message: 'expected a PEM certificate',
      fix: 'provide the chain, leaf certificate first',
    })
  if (!privateKey)
    findings.push({
      path: `${path}.key`,
      message: 'expected a PEM private key without a passphrase',
      fix: 'decrypt it with `openssl pkey`',
    })
  if (!certificate || !privateKey) return findings
  if (!certificate.checkPrivateKey(privateKey))
    findings.push({
      path: `${path}.key`,
      message: 'is not the key of the certificate',
      fix: 'use a certificate and key that belong together',
    })
  return [...findings, ...judgeDates(`${path}.cert`, certificate, now)]
}

function judgeDates(path: string, certificate: X509Certificate, now: number): Finding[] {
  const { validFromDate, validToDate } = certificate
  const day = (date: Date) => date.toISOString().slice(0, 10)
  if (validToDate.getTime() <= now) return [{ path, message: `expired on ${day(validToDate)}`, fix: 'renew it' }]
  if (validFromDate.getTime() > now)
    return [
      {
        path,
        message: `is not valid before ${day(validFromDate)}`,
        fix: 'check the clock of this machine',
        warning: true,
      },
    ]
  if (validToDate.getTime() - now < monthMs)
    return [
      {
        path,
        message: `expires on ${day(validToDate)}`,
        fix: 'renew it; it is reloaded without a restart',
        warning: true,
      },
    ]
  return []
}

async function checkRoots(path: string, ca: string): Promise<Finding[]> {
  const pem = await read(path, ca)
  if (typeof pem !== 'string') return [pem]
  const roots = pem.match(certificatePattern) ?? []
  const broken = roots.findIndex((root) => !parse(() => new X509Certificate(root)))
  const fix = 'name a PEM file with one or more certificates'
  if (roots.length === 0) return [{ path, message: 'the file contains no PEM certificate', fix }]
  return broken < 0 ? [] : [{ path, message: `certificate ${broken + 1} of the file cannot be read`, fix }]
}

/** The file name is not repeated: a reference may have put the key itself there. */
async function read(path: string, file: string): Promise<string | Finding> {
  const answer = await readText(file, maxPemBytes)
  if (answer.ok) return answer.text
  return { path, message: `the file ${answer.why}`, fix: 'correct the path, or let the daemon read it' }
}

function parse<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined // the caller reports it, without what OpenSSL says of the content
  }
}
