import { digestOf } from '../audit/digest.ts'
import type { SessionDocumentPart } from '../catalog/policy-part.ts'
import type { PreparationStep } from '../catalog/preparation.ts'

interface Place {
  readonly region: string
  /** Those whose sessions use it; empty: all. */
  readonly levels: readonly string[]
  /** Comments of a shell before the commands. */
  readonly notes?: readonly string[]
}

/** Makes a session document in the region of a target, or makes it what it should be. Running it again changes nothing. */
export function sessionDocumentStep(
  { name, content }: Pick<SessionDocumentPart, 'name' | 'content'>,
  { region, levels, notes = [] }: Place,
): PreparationStep {
  const file = `${name}.json`
  const of = `--region ${region} --name ${name}`
  const from = `--content file://${file} --document-format JSON`
  return {
    what: `make the session document ${name}, with the AWS CLI`,
    levels,
    language: 'sh',
    text: [
      ...notes.map((note) => `# ${note}`),
      `# Its SHA-256: ${digestOf(content)}`,
      `cat > ${file} <<'END'`,
      JSON.stringify(content, null, 2),
      'END',
      `aws ssm create-document ${of} ${from} --document-type Session ||`,
      `  { version=$(aws ssm update-document ${of} ${from} --document-version '$LATEST' --query DocumentDescription.DocumentVersion --output text) &&`,
      `    aws ssm update-document-default-version ${of} --document-version "$version"; }`,
    ].join('\n'),
  }
}
