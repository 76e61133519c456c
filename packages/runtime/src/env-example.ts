import type { SettingsSchema } from './settings.ts'

/** The text of `.env.example`: every variable with its doc, its valid values and its default. */
export function renderEnvExample(schema: SettingsSchema): string {
  return Object.entries(schema)
    .map(([name, setting]) => {
      const notes = [setting.doc, `Expected: ${setting.expects}.`]
      if (setting.aliases.length > 0) notes.push(`Also read from ${setting.aliases.join(', ')}.`)
      const comment = notes.flatMap((note) => note.split('\n')).map((line) => `# ${line}\n`)
      return setting.defaultText === undefined
        ? `${comment.join('')}# ${name}=\n`
        : `${comment.join('')}${name}=${quoted(setting.defaultText)}\n`
    })
    .join('\n')
}

function quoted(value: string): string {
  return /[\s#'"\\]/.test(value) ? `'${value}'` : value
}
