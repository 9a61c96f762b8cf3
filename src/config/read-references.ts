import { resolve } from 'node:path'
import { readText } from './read-text.ts'
import type { Reference } from './references.ts'
import type { Mistake } from './validate.ts'

const maxSecretBytes = 64_000

/** Environment variables by name. */
export type Env = Readonly<Record<string, string | undefined>>

/** Reads the values of references. @param folder of the configuration file; relative paths start there */
export async function readReferences(references: readonly Reference[], env: Env, folder: string) {
  const found = new Map<string, string>()
  const mistakes: Mistake[] = []
  for (const reference of references) {
    const answer = found.has(reference.text) ? undefined : await readReference(reference, env, folder)
    if (typeof answer === 'string') found.set(reference.text, answer)
    else if (answer) mistakes.push({ path: reference.path, at: 'value', ...answer })
  }
  return { found, mistakes }
}

async function readReference(
  reference: Reference,
  env: Env,
  folder: string,
): Promise<string | { message: string; fix: string }> {
  const { source, name, text } = reference
  if (source === 'file') return await readSecretFile(resolve(folder, name), text)
  if (source === 'unknown') {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what people write
    const fix = 'write ${env:NAME} or ${file:PATH}; for a literal ${ write $${'
    return { message: `expected a reference, got ${text.slice(0, 60)}`, fix }
  }
  const value = env[name]
  if (value) return value
  return { message: `environment variable ${name} is ${value === '' ? 'empty' : 'not set'}`, fix: `set ${name}` }
}

async function readSecretFile(path: string, text: string): Promise<string | { message: string; fix: string }> {
  const fix = 'put the value in a file that the daemon can read'
  const file = await readText(path, maxSecretBytes)
  if (!file.ok) return { message: `${text}: ${path} ${file.why}`, fix }
  const value = file.text.replace(/\r?\n$/, '')
  return value === '' ? { message: `${text}: ${path} is empty`, fix } : value
}
