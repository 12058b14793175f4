/** Lets a program import style, which the build makes a file of its own. */
declare module "*.css";
