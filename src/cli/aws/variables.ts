/**
 * Variables by which SDKs and tools find credentials, by their names rather than by a list: what a new SDK reads is called like
 * what the others read. docs/decisions/0029 has the table of what each of them reads.
 */
const rival =
  /^(?:AWS|AMAZON|EC2)_(?!ENDPOINT_URL|SHARED_)(?:\w*(?:ACCESS_KEY|SECRET_KEY|_TOKEN|PROFILE)|\w*TOKEN_|ROLE_|CREDENTIAL_(?:FILE|EXPIRATION)|CONTAINER_|EC2_METADATA|SECURITY_TOKEN|SESSION_TOKEN|BEARER_TOKEN)/i

/** Those of the environment that would win over credentials given some other way, or lead elsewhere. */
export function rivalsIn(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(env)
    .filter((name) => rival.test(name) && env[name] !== undefined)
    .sort()
}

/** Options of the Java runtime that its SDKs read before anything else. */
const javaOptions = ['JAVA_TOOL_OPTIONS', 'JDK_JAVA_OPTIONS', '_JAVA_OPTIONS', 'JAVA_OPTS', 'MAVEN_OPTS', 'GRADLE_OPTS']
const rivalProperty =
  /^-Daws\.(?:accessKeyId|secretKey|secretAccessKey|sessionToken|webIdentityTokenFile|roleArn|roleSessionName|profile|sharedCredentialsFile|configFile|container\w*|bearerToken\w*)\b/

/** The environment without them. */
export function withoutRivals(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const left = { ...env }
  for (const name of rivalsIn(env)) delete left[name]
  for (const name of javaOptions) {
    const words = left[name]?.match(/(?:[^\s"']|"[^"]*"|'[^']*'|["'])+/g) ?? []
    const kept = words.filter((word) => !rivalProperty.test(word.replaceAll(/["']/g, '')))
    if (kept.length < words.length) left[name] = kept.join(' ')
  }
  return left
}
