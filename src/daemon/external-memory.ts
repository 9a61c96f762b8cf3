import { setFlagsFromString } from 'node:v8'

/**
 * What sessions carry is memory outside V8's heap. V8 collects the whole heap whenever 64 MB of it are new, so that large results keep
 * it collecting; with this flag it waits until both together have grown, as it does for the heap alone. Other versions of V8 may not
 * know the flag. See docs/decisions/0065.
 */
export function collectByGrowth(): void {
  if (process.versions.v8.startsWith('13.')) setFlagsFromString('--external-memory-accounted-in-global-limit')
}
