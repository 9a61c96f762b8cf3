import { spawnSync } from 'node:child_process'

/** The same of a module of Python's. @throws Error in CI */
export function skipWithoutPython(module: string): string | false {
  if (spawnSync('python3', ['-c', `import ${module}`]).status === 0) return false
  if (process.env.CI === 'true') throw new Error(`Python’s ${module} is not installed, and CI must have it`)
  return `Python’s ${module} is not installed`
}

/**
 * For `{ skip }` of a test that needs a program which npm does not bring.
 * @throws Error in CI, where everything has to be there
 */
export function skipWithout(program: string): string | false {
  if (spawnSync(program, ['--version']).status === 0) return false
  if (process.env.CI === 'true') throw new Error(`${program} is not installed, and CI must have it`)
  return `${program} is not installed`
}
