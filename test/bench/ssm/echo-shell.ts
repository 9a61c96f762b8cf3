import type { StartWork } from '../../sandbox/ssm/work.ts'

/** Typed, it floods until that is typed again. */
export const floodKey = 'F'
export const floodLine = Buffer.from(`${'flood '.repeat(170)}\r\n`)

/** No pty: what a terminal costs on this machine is not measured. */
export const echoShell: StartWork = (_spec, { output }) => {
  let isFlooding = false
  const flood = async () => {
    while (isFlooding) await output(1, floodLine)
  }
  void output(1, Buffer.from('$ '))
  return {
    take: (type, payload) => {
      if (type !== 1) return true
      if (!payload.includes(floodKey)) void output(1, payload)
      else {
        isFlooding = !isFlooding
        if (isFlooding) void flood()
      }
      return true
    },
    stop: () => {
      isFlooding = false
    },
  }
}
