/** An instant as AWS's tools read it in credentials: ISO 8601 to the second. */
export function awsInstant(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}
