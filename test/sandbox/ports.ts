import { createServer } from 'node:net'

const lowest = 20_000
const highest = 32_000 // below Linux's ephemeral range, so that no outgoing connection takes the port in between

/** Tests that run at the same time draw from lanes of their own. */
const lanes = 4
const width = (highest - lowest) / lanes
const lane = lowest + (Number(process.env.TAP_JOB_ID ?? 0) % lanes) * width
let next = Math.floor(Math.random() * width)

/** A free TCP port of 127.0.0.1, never the same one twice in a process. Listen on it soon: nothing reserves it. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < width; tried += 1) {
    next = (next + 1) % width
    if (await isFree(lane + next)) return lane + next
  }
  throw new Error(`no free port found between ${lane} and ${lane + width}`)
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
