import { deflateRawSync } from 'node:zlib'

/**
 * AWS packs session policies and tags in a form it doesn't publish, with a limit of its own. Ours is DEFLATE into 1,024
 * bytes: repetitive policies near the 2,048 characters fit, and random ones don't, as on AWS.
 */
const limitBytes = 1024

/** Percent of the allotted space, rounded up; above 100 is PackedPolicyTooLarge. Null when there is nothing to pack. */
export function packedPolicySize(policy: string | null, tags: Readonly<Record<string, string>>): number | null {
  if (policy === null && Object.keys(tags).length === 0) return null
  const packed = deflateRawSync(`${policy ?? ''}\0${Object.entries(tags).flat().join('\0')}`, { level: 9 })
  return Math.ceil((packed.length / limitBytes) * 100)
}
