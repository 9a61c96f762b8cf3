import { spawn } from 'node:child_process'

/**
 * Shows an address to the person: by `SALLYPORT_BROWSER` or `BROWSER` (a command; the address is put in place of `%s`, else
 * at the end), else by what the system has. No shell is involved, so no character of an address means anything.
 * @returns why it can't, for the person; null when a browser was started, of which `onFailure` may tell more
 */
export function openBrowser(url: string, env: NodeJS.ProcessEnv, onFailure: (why: string) => void): string | null {
  const [command, ...words] = browserCommand(env)
  if (!command) return 'no browser is available on this machine'
  const args = words.includes('%s') ? words.map((word) => (word === '%s' ? url : word)) : [...words, url]
  const child = spawn(command, args, { stdio: 'ignore', detached: process.platform !== 'win32' })
  child.on('error', (error) => onFailure(`could not start ${command}: ${error.message}`))
  child.on('exit', (code) => {
    if (code) onFailure(`${command} exited with code ${code}`)
  })
  child.unref()
  return null
}

function browserCommand(env: NodeJS.ProcessEnv): string[] {
  const chosen = (env.SALLYPORT_BROWSER || env.BROWSER || '').trim()
  if (chosen) return chosen.split(/\s+/)
  if (process.platform === 'darwin') return ['open']
  if (process.platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler']
  return env.DISPLAY || env.WAYLAND_DISPLAY ? ['xdg-open'] : []
}
