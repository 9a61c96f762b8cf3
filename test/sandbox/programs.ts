import { spawnSync } from 'node:child_process'

/** A Python that has this module: the first on the PATH may be another than the one that Debian's packages are for. */
export function pythonWith(module: string): string | undefined {
  return ['python3', '/usr/bin/python3'].find((python) => spawnSync(python, ['-c', `import ${module}`]).status === 0)
}

/** {@link skipWithout} for a module of Python's. @throws Error in CI */
export function skipWithoutPython(module: string): string | false {
  if (pythonWith(module) !== undefined) return false
  if (process.env.CI === 'true') throw new Error(`Python’s ${module} is not installed, and CI must have it`)
  return `Python’s ${module} is not installed`
}

/** {@link skipWithout} for an extension of PHP's. @throws Error in `.ci/long`, which has it */
export function skipWithoutPhp(extension: string): string | false {
  const script = `exit(extension_loaded('${extension}') ? 0 : 1);`
  if (spawnSync('php', ['-r', script]).status === 0) return false
  if (process.env.SALLYPORT_CLIENTS === 'true') throw new Error(`PHP’s ${extension} is not installed`)
  return `PHP’s ${extension} is not installed`
}

/** Older ones know no `AWS_ENDPOINT_URL`, and must be told on the command line. */
export function readsEndpointVariable(): boolean {
  const [, major = '', minor = ''] =
    /aws-cli\/(\d+)\.(\d+)/.exec(spawnSync('aws', ['--version']).stdout.toString()) ?? []
  return Number(major) > 1 ? Number(minor) >= 13 : Number(minor) >= 29
}

/** Whether a program answers. */
export function isInstalled(program: string, question = '--version'): boolean {
  return spawnSync(program, [question]).status === 0
}

/**
 * For `{ skip }` of a test that needs a program which npm does not bring.
 * @throws Error in CI, where everything has to be there
 */
export function skipWithout(program: string, question?: string): string | false {
  if (isInstalled(program, question)) return false
  if (process.env.CI === 'true') throw new Error(`${program} is not installed, and CI must have it`)
  return `${program} is not installed`
}

/** kubectl, of a version that the broker is for. */
export function hasKubectl(): boolean {
  const { stdout } = spawnSync('kubectl', ['version', '--client', '--output', 'json'])
  const [, minor = '0'] = /"minor": *"(\d+)/.exec(stdout?.toString() ?? '') ?? []
  return Number(minor) >= 27
}

/** {@link skipWithout} for it. @throws Error in CI */
export function skipWithoutKubectl(): string | false {
  if (hasKubectl()) return false
  if (process.env.CI === 'true') throw new Error('kubectl 1.27 or newer is not installed, and CI must have it')
  return 'kubectl 1.27 or newer is not installed'
}
