/** How PATCH changes an object: RFC 7386, RFC 6902 (add, replace, remove), and as much of strategic merges and of apply as clients send here. */
type Json = unknown
type JsonObject = Readonly<Record<string, Json>>

/** Members by which elements of a list are the same one. */
const mergeKeys: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  volumeMounts: ['mountPath'],
  ports: ['containerPort', 'port'],
  conditions: ['type'],
}

/** RFC 7386. */
export function mergePatch(target: Json, patch: Json): Json {
  return merge(target, patch, false)
}

/** Lists are merged by the keys of their elements. Of apply: fields that the caller left out stay. */
export function strategicMerge(target: Json, patch: Json): Json {
  return merge(target, patch, true)
}

/** RFC 6902. @throws Error when it cannot be applied */
export function jsonPatch(target: Json, operations: readonly { op: string; path: string; value?: Json }[]): Json {
  const result: Json = structuredClone(target)
  for (const { op, path, value } of operations) {
    const keys = path
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    const last = keys.pop() ?? ''
    const holder = keys.reduce<Json>((at, key) => (at as JsonObject | undefined)?.[key], result)
    if (typeof holder !== 'object' || holder === null) throw new Error(`there is no ${path}`)
    if (Array.isArray(holder))
      holder.splice(
        last === '-' ? holder.length : Number(last),
        op === 'add' ? 0 : 1,
        ...(op === 'remove' ? [] : [value]),
      )
    else if (op === 'remove') delete (holder as Record<string, Json>)[last]
    else (holder as Record<string, Json>)[last] = value
  }
  return result
}

function merge(target: Json, patch: Json, isStrategic: boolean): Json {
  if (!isObject(patch)) return patch
  if (isStrategic && patch.$patch === 'replace') return without(patch, '$patch')
  const result: Record<string, Json> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (isStrategic && key.startsWith('$')) continue
    if (value === null) delete result[key]
    else if (isStrategic && Array.isArray(value)) result[key] = mergeList(key, result[key], value)
    else result[key] = merge(result[key], value, isStrategic)
  }
  return result
}

function mergeList(key: string, target: Json, patch: readonly Json[]): Json {
  const keys = mergeKeys[key]
  if (!keys || !Array.isArray(target)) return patch.filter((one) => !isDeletion(one))
  const sameOf = (one: Json) => keys.map((name) => (one as JsonObject)[name]).find((value) => value !== undefined)
  const result: Json[] = [...target]
  for (const one of patch) {
    const at = result.findIndex((known) => sameOf(known) === sameOf(one))
    if (isDeletion(one)) result.splice(at, at < 0 ? 0 : 1)
    else if (at < 0) result.push(one)
    else result[at] = merge(result[at], one, true)
  }
  return result
}

function isDeletion(value: Json): boolean {
  return isObject(value) && value.$patch === 'delete'
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function without(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([one]) => one !== key))
}
