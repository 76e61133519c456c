/** Longest e-mail address, in characters (RFC 5321 §4.5.3.1.3). */
const longestEmail = 254
const longestLocalPart = 64

const localPart = /^[^\s@<>()[\],;:\\"]+$/u
const domainLabel = /^[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?$/u

/** Tells whether a text is an e-mail address as people have them: no comments, no quotes, a domain with a dot. */
export function isEmail(text: string): boolean {
  const at = text.indexOf('@')
  const local = text.slice(0, at)
  const labels = text.slice(at + 1).split('.')
  return (
    text.length <= longestEmail &&
    at > 0 &&
    local.length <= longestLocalPart &&
    localPart.test(local) &&
    !/^\.|\.\.|\.$|\p{C}/u.test(local) &&
    labels.length >= 2 &&
    labels.every((label) => domainLabel.test(label))
  )
}

/** What an e-mail is compared by: one account, however it is written. */
export function emailKey(email: string): string {
  return email.normalize('NFC').toLowerCase()
}

/** Fewest and most characters of a password. */
export const passwordLength = { min: 8, max: 128 } as const

/** Tells whether a password has a length that is taken; characters count, not bytes. Anything else is its owner's choice. */
export function isPassword(text: string): boolean {
  const characters = [...text].length
  return characters >= passwordLength.min && characters <= passwordLength.max
}
