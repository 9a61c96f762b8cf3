/**
 * Bodies in protobuf, of the few kinds that clients make so: `k8s\0` and a `runtime.Unknown` around the object (staging/src/k8s.io/apimachinery
 * `serializer/protobuf`; the numbers of members are those of `generated.proto`). Answers are JSON, which these clients take, too.
 */
type Shape = { readonly [field: number]: readonly [name: string, of: 'string' | 'strings' | 'bytes' | Shape] }

const metadata: Shape = {
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  6: ['resourceVersion', 'string'],
  11: ['labels', 'strings'],
  12: ['annotations', 'strings'],
}

const shapes: Readonly<Record<string, Shape>> = {
  ConfigMap: { 1: ['metadata', metadata], 2: ['data', 'strings'] },
  Secret: { 1: ['metadata', metadata], 2: ['data', 'bytes'], 3: ['type', 'string'] },
  Namespace: { 1: ['metadata', metadata] },
  SelfSubjectAccessReview: {
    2: [
      'spec',
      {
        1: [
          'resourceAttributes',
          {
            1: ['namespace', 'string'],
            2: ['verb', 'string'],
            3: ['group', 'string'],
            5: ['resource', 'string'],
            6: ['subresource', 'string'],
            7: ['name', 'string'],
          },
        ],
      },
    ],
  },
}

const magic = Buffer.from('k8s\0')

/** @returns as it would be in JSON; null: it is of another kind, or broken */
export function readProtobuf(body: Buffer): Readonly<Record<string, unknown>> | null {
  if (!body.subarray(0, magic.length).equals(magic)) return null
  try {
    const unknown = fieldsOf(body.subarray(magic.length))
    const typeMeta = fieldsOf(unknown.find(([field]) => field === 1)?.[1] ?? Buffer.alloc(0))
    const kind = typeMeta.find(([field]) => field === 2)?.[1].toString() ?? ''
    const shape = shapes[kind]
    return shape ? read(unknown.find(([field]) => field === 2)?.[1] ?? Buffer.alloc(0), shape) : null
  } catch {
    return null
  }
}

function read(bytes: Buffer, shape: Shape): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [field, value] of fieldsOf(bytes)) {
    const [name, of] = shape[field] ?? []
    if (name === undefined || of === undefined) continue
    if (of === 'string') result[name] = value.toString()
    else if (typeof of === 'object') result[name] = read(value, of)
    else {
      const entry = new Map(fieldsOf(value))
      const text = (entry.get(2) ?? Buffer.alloc(0)).toString(of === 'bytes' ? 'base64' : 'utf8')
      result[name] = { ...(result[name] as object | undefined), [entry.get(1)?.toString() ?? '']: text }
    }
  }
  return result
}

/** Numbers of members and their bytes; numbers among the values are left out. @throws RangeError */
function fieldsOf(bytes: Buffer): [field: number, value: Buffer][] {
  const fields: [number, Buffer][] = []
  let at = 0
  const varint = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(at++)
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    if (tag % 8 === 0) varint()
    else if (tag % 8 === 2) {
      const length = varint()
      if (at + length > bytes.length) throw new RangeError('a member that is longer than its message')
      fields.push([Math.floor(tag / 8), bytes.subarray(at, at + length)])
      at += length
    } else throw new RangeError(`wire type ${tag % 8}`)
  }
  return fields
}
