/** The last part of an id, by which people call a resource. */
export function nameOf(resourceId: string): string {
  return resourceId.slice(resourceId.lastIndexOf('/') + 1)
}

/** What stands before it: account and region, if the kind has them. */
export function placeOf(resourceId: string): string {
  const parts = resourceId.split('/').slice(1, -1)
  return parts.join(' ')
}

/** `ses_…9f3k` */
export function shortId(id: string): string {
  return `${id.slice(0, id.indexOf('_') + 1)}…${id.slice(-6)}`
}
