import { Worker } from 'node:worker_threads'
import type { FarAsks } from './far-side.ts'

export interface Far {
  ask<Name extends keyof FarAsks>(name: Name, ask: FarAsks[Name]['ask']): Promise<FarAsks[Name]['answer']>
}

/** Starts the thread of `far-side.ts`. */
export function startFar(closing: AsyncDisposableStack): Far {
  const worker = new Worker(new URL('far-side.ts', import.meta.url))
  closing.defer(async () => void (await worker.terminate()))
  const asked = new Map<number, PromiseWithResolvers<unknown>>()
  worker.on('message', ({ id, answer, error }: { id: number; answer?: unknown; error?: string }) => {
    const waiting = asked.get(id)
    asked.delete(id)
    if (error === undefined) waiting?.resolve(answer)
    else waiting?.reject(new Error(error))
  })
  worker.on('error', (error) => {
    for (const { reject } of asked.values()) reject(error)
  })
  let last = 0
  return {
    ask: (name, ask) => {
      last += 1
      const waiting = Promise.withResolvers<unknown>()
      asked.set(last, waiting)
      worker.postMessage({ id: last, name, ask })
      return waiting.promise as never
    },
  }
}
