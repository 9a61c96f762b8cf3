/**
 * Never through a proxy: this machine, and the addresses at which clouds hand out metadata and credentials. By address and by
 * range, since `fetch` knows no ranges.
 */
const direct = [
  'localhost',
  '.localhost',
  '127.0.0.1',
  '127.0.0.1-127.255.255.254',
  '::1',
  '[::1]',
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '[fd00:ec2::254]',
  '[fd00:ec2::23]',
]

type ProxyEnvironment = Partial<Record<'HTTPS_PROXY' | 'HTTP_PROXY' | 'NO_PROXY', string>>

/** `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` in capitals or not, as Node's agents take them; undefined where no proxy is named. */
export function proxyEnvironment(env: NodeJS.ProcessEnv): ProxyEnvironment | undefined {
  const of = (name: string) => env[name.toLowerCase()] || env[name] || undefined
  const [https, plain] = [of('HTTPS_PROXY'), of('HTTP_PROXY')]
  if (https === undefined && plain === undefined) return undefined
  return {
    ...(https === undefined ? {} : { HTTPS_PROXY: https }),
    ...(plain === undefined ? {} : { HTTP_PROXY: plain }),
    NO_PROXY: [of('NO_PROXY') ?? [], ...direct].flat().join(','),
  }
}

/**
 * Makes all of this process's HTTP go by the proxy environment: `fetch`, and the default agents, which websockets are given too.
 * @returns takes it back
 * @throws TypeError when a proxy's URL is invalid
 */
export function useProxyEnvironment(env: NodeJS.ProcessEnv): () => void {
  const found = proxyEnvironment(env)
  if (!found) return () => {}
  return process.getBuiltinModule('node:http').setGlobalProxyFromEnv(found) // not imported: most runs have no proxy
}
