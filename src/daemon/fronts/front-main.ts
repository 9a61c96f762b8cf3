/** A process of the carrying side, as control starts it: it gets its ports and calls by inheritance, and ends when control does. */
import { Socket } from 'node:net'
import { useProxyEnvironment } from '../../../proxy/proxy-environment.ts'
import { collectByGrowth } from '../external-memory.ts'
import { serveFront } from './serve-front.ts'

/** See `stdio` where it is started. */
const callsFd = 3

useProxyEnvironment(process.env)
collectByGrowth()
// A terminal and systemd send them to all processes: control says when a front ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.exitCode = await serveFront(new Socket({ fd: callsFd }))
process.exit()
