import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const ban = (selector, message) => ({ selector, message });

const noInstanceofError = ban(
  'BinaryExpression[operator="instanceof"][right.name=/^(Error|TypeError|RangeError|SyntaxError)$/]',
  'Errors of another realm (a vm context, Jest) are no instances of ours: look at `code`, or use util.types.isNativeError.',
);

const readsEnv =
  'Configuration comes in as a value: src/sidecar, src/main.ts and src/demo alone read the environment.';

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'run/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,

  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Off, and to stay off: its fix would turn the classes that Nest injects into type imports, which compile
      // and fail at boot. What is a type alone tsc finds itself (verbatimModuleSyntax).
      '@typescript-eslint/consistent-type-imports': 'off',
      '@typescript-eslint/consistent-type-exports': 'error',
      // Nest declares its options as classes, and everybody gives literals
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // a Nest module is a class with nothing in it
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrors: 'none' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Nest's own signatures (`send<TResult, TInput>`, `unwrap<T>`) are ours to keep
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
    },
  },

  {
    files: ['src/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 300 }],
      'max-lines-per-function': ['error', { max: 60 }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      'no-restricted-syntax': ['error', noInstanceofError],
      'no-restricted-properties': ['error', { object: 'process', property: 'env', message: readsEnv }],
      'no-restricted-imports': [
        'error',
        { name: 'node:process', message: 'Use the global: rules see it.' },
        { name: 'process', message: 'Use the global: rules see it.' },
      ],
    },
  },
  {
    files: ['src/main.ts', 'src/sidecar/**', 'src/demo/**'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    // what people read in a terminal
    files: ['src/main.ts', 'src/cli/**', 'src/demo/**'],
    rules: { 'no-console': 'off' },
  },
  {
    // here no class is injected, so that an import that serves types alone is to vanish
    files: ['src/protocol/**/*.ts', 'src/net/**/*.ts', 'src/cli/**/*.ts'],
    rules: { '@typescript-eslint/consistent-type-imports': 'error' },
  },
  {
    // no clock and no I/O: the same bytes give the same values
    files: ['src/protocol/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['process', 'performance', 'fetch', 'console', 'queueMicrotask'],
        ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'],
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now' },
        { object: 'Math', property: 'random' },
      ],
    },
  },

  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts'],
    rules: {
      'no-console': 'off',
      // a test may assert what it has just arranged, and hand methods to spies
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
      // a handler under test is async since its kind is
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      // anything may be thrown at us, so that anything is thrown in tests
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      'no-restricted-syntax': [
        'error',
        ban(
          'MemberExpression[object.name=/^(describe|it|test)$/][property.name="only"]',
          'Runs this test alone.',
        ),
        ban('CallExpression[callee.name=/^f(describe|it)$/]', 'Runs this test alone.'),
        ban('MemberExpression[object.name="jest"][property.name="mock"]', 'Does nothing in ES modules.'),
      ],
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {
      globals: {
        AbortSignal: false,
        Buffer: false,
        URL: false,
        clearTimeout: false,
        console: false,
        performance: false,
        process: false,
        setTimeout: false,
      },
    },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs' },
  },
);
