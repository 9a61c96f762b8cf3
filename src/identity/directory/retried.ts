import { BrokerError } from '../../../proxy/session.ts'

const mostAttempts = 10

/** Again when another daemon's step came first; the work reads anew what it builds on. @throws BrokerError STALE after several attempts */
export async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof BrokerError && error.code === 'STALE') || attempt === mostAttempts) throw error
    }
  }
}
