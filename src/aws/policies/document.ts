import type { PolicyEntry } from './table.ts'

/** A document as IAM takes it, its values still to be filled in. */
export function toDocument({ statements }: Pick<PolicyEntry, 'statements'>) {
  return {
    Version: '2012-10-17',
    Statement: statements.map(({ sid, principal, actions, resources, conditions }) => ({
      Sid: sid,
      Effect: 'Allow',
      ...(principal ? { Principal: principal } : {}),
      Action: alone(Object.keys(actions)),
      ...(resources ? { Resource: alone(resources) } : {}),
      ...(conditions ? { Condition: conditions } : {}),
    })),
  }
}

const alone = (list: readonly string[]) => (list.length === 1 ? list[0] : list)

/** Action: reason, of all statements. */
export function reasonsOf({ statements }: Pick<PolicyEntry, 'statements'>): Readonly<Record<string, string>> {
  return Object.assign({}, ...statements.map(({ actions }) => actions)) as Record<string, string>
}

/**
 * @param values what stands for each value
 * @param quote given every other piece of text
 */
export function fill(text: string, values: Readonly<Record<string, string>>, quote = (piece: string) => piece): string {
  return text
    .split(/(\{\{\w+\}\})/)
    .map((piece) => {
      const name = /^\{\{(\w+)\}\}$/.exec(piece)?.[1]
      return name === undefined ? quote(piece) : required(values, name)
    })
    .join('')
}

/** A reference in the text of a template, as both Terraform and CloudFormation write it. */
export function ref(name: string): string {
  return `\${${name}}`
}

function required(values: Readonly<Record<string, string>>, name: string): string {
  const value = values[name]
  if (value === undefined) throw new Error(`no value for {{${name}}} in a policy`)
  return value
}
