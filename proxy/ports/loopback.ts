import { isIP } from 'node:net'

/** True for this machine alone: `localhost` and names below it (RFC 6761), 127.0.0.0/8, ::1. @param host as in a URL, or bare */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  if (bare === 'localhost' || bare.endsWith('.localhost') || bare === '::1') return true
  return isIP(bare) === 4 && bare.startsWith('127.')
}
