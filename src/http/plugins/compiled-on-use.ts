import AjvCompiler from '@fastify/ajv-compiler'
import SerializerSelector from '@fastify/fast-json-stringify-compiler'

type Validate = ((data: unknown, context?: unknown) => unknown) & { errors?: unknown; schemaEnv?: unknown }
type Serialize = (document: unknown) => string
type Build<Compiled> = (shared: never, options: never) => (definition: never) => Compiled

export const ajvOptions = {
  customOptions: { removeAdditional: false, coerceTypes: 'array', allErrors: true },
} as const

/**
 * Fastify's own compilers of schemas, each asked when a request first needs what it makes: a third of a start is spent on schemas
 * otherwise, and most starts use few of them. That every schema compiles is a test.
 */
export const compiledOnUse = {
  compilersFactory: {
    buildValidator: onUse(AjvCompiler() as Build<Validate>, (compile) => {
      let compiled: Validate | undefined
      const validate: Validate = (data, context) => {
        compiled ??= compile()
        const isValid = compiled(data, context)
        validate.errors = compiled.errors
        return isValid
      }
      validate.schemaEnv = true // takes what holds the value, so that a value at the root can be coerced
      return validate
    }),
    buildSerializer: onUse(SerializerSelector() as Build<Serialize>, (compile) => {
      let compiled: Serialize | undefined
      return (document) => {
        compiled ??= compile()
        return compiled(document)
      }
    }),
  },
}

/** @param wrap gets what compiles, and is to call it once */
function onUse<Compiled>(build: Build<Compiled>, wrap: (compile: () => Compiled) => Compiled): Build<Compiled> {
  return (shared, options) => {
    const compile = build(shared, options)
    return (definition) => wrap(() => compile(definition))
  }
}
