import { BrokerError } from '../../../proxy/session.ts'
import type { AwsCredentials } from '../../aws/aws.ts'
import type { Config } from '../../config/config.ts'

/** Where the consoles of a partition are. */
interface ConsolePlace {
  readonly signin: string
  readonly console: string
}

const places: Readonly<Record<string, ConsolePlace>> = {
  aws: { signin: 'signin.aws.amazon.com', console: 'console.aws.amazon.com' },
  'aws-us-gov': { signin: 'signin.amazonaws-us-gov.com', console: 'console.amazonaws-us-gov.com' },
  'aws-cn': { signin: 'signin.amazonaws.cn', console: 'console.amazonaws.cn' },
}

const answerWithinMs = 10_000
const longestAnswer = 64 * 1024

export interface ConsoleAsk {
  readonly partition: string
  readonly credentials: AwsCredentials
  /** From {@link consoleDestination}. */
  readonly destination: string
  /** Where the console sends people whose session has ended: the broker. */
  readonly issuer: string
}

/**
 * A link that signs a browser in to the console with these credentials, for as long as they live. It is a bearer secret.
 * SessionDuration is left out: AWS refuses it for credentials of a chained role.
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE
 */
export async function consoleLink(config: Pick<Config['aws'], 'endpoints'>, ask: ConsoleAsk): Promise<string> {
  const place = placeOf(ask.partition)
  const endpoint = `${config.endpoints.signin ?? config.endpoints['*'] ?? `https://${place.signin}`}/federation`
  const token = await signinToken(endpoint, signinForm(ask.credentials))
  return loginUrl(endpoint, { issuer: ask.issuer, destination: ask.destination, token })
}

/** @param endpoint e.g. `https://signin.aws.amazon.com/federation` */
export function loginUrl(endpoint: string, parts: { issuer: string; destination: string; token: string }): string {
  const [issuer, destination, token] = [parts.issuer, parts.destination, parts.token].map(encodeURIComponent)
  return `${endpoint}?Action=login&Issuer=${issuer}&Destination=${destination}&SigninToken=${token}`
}

/** Parameters of the request. SessionDuration would be refused: credentials of roles are chained. */
export function signinForm(credentials: Omit<AwsCredentials, 'expiresAt'>): URLSearchParams {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const session = JSON.stringify({ sessionId: accessKeyId, sessionKey: secretAccessKey, sessionToken })
  return new URLSearchParams({ Action: 'getSigninToken', Session: session })
}

/** In the body, not the URL, since URLs end up in logs. */
async function signinToken(endpoint: string, body: URLSearchParams): Promise<string> {
  let response: Response
  let text: string
  try {
    response = await fetch(endpoint, {
      method: 'POST',
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(answerWithinMs),
    })
    text = (await response.text()).slice(0, longestAnswer)
  } catch (cause) {
    throw new BrokerError('AWS_UNAVAILABLE', 'the console sign-in did not answer', { cause })
  }
  if (response.status >= 500)
    throw new BrokerError('AWS_UNAVAILABLE', `the console sign-in answered ${response.status}`)
  const token = response.ok ? readToken(text) : undefined
  if (!token)
    throw new BrokerError('AWS_DENIED', `the console sign-in refused the session (${response.status})`, {
      hint: 'The session of the role may have been killed, or the account has no console sign-in.',
    })
  return token
}

function readToken(text: string): string | undefined {
  try {
    const { SigninToken } = JSON.parse(text) as { SigninToken?: unknown }
    return typeof SigninToken === 'string' && SigninToken.length > 0 ? SigninToken : undefined
  } catch {
    return undefined // not JSON: reported like any other refusal
  }
}

/**
 * The page to open: a service's own, or any address of the partition's console.
 * @param wanted `s3`, `ec2` …, or an https address; undefined: the console's home
 * @throws BrokerError INVALID_INPUT
 */
export function consoleDestination(partition: string, region: string | undefined, wanted: string | undefined): string {
  const { console: host } = placeOf(partition)
  const found = destinationAt(host, region, wanted)
  if (found === undefined) throw notConsole(host)
  return found
}

/** Refuses destinations outside every partition's console before anything is opened. @throws BrokerError INVALID_INPUT */
export function checkDestination(wanted: string | undefined): void {
  const hosts = Object.values(places).map((place) => place.console)
  if (hosts.every((host) => destinationAt(host, undefined, wanted) === undefined)) throw notConsole(hosts.join(', '))
}

function notConsole(hosts: string): BrokerError {
  return new BrokerError('INVALID_INPUT', `expected a service such as s3, or an https address of ${hosts}`)
}

function destinationAt(host: string, region: string | undefined, wanted: string | undefined): string | undefined {
  const inRegion = region === undefined ? '' : `?region=${region}`
  if (wanted === undefined) return `https://${host}/console/home${inRegion}`
  if (/^[a-z0-9-]{1,40}$/.test(wanted)) return `https://${host}/${wanted}/home${inRegion}`
  const url = URL.parse(wanted)
  const isConsole =
    url?.protocol === 'https:' &&
    (url.hostname === host || url.hostname.endsWith(`.${host}`)) &&
    url.port === '' &&
    url.username === '' &&
    url.password === ''
  return isConsole ? url.href : undefined
}

function placeOf(partition: string): ConsolePlace {
  const place = places[partition]
  if (!place) throw new BrokerError('UNSUPPORTED', `the console of partition ${partition} is not known`)
  return place
}
