// base/detmath.h: elementary functions whose bits are the same on every machine and compiler.
//
// glibc's exp and log differ in the last bit between CPU paths (with and without FMA), so state
// must not be computed with them. These use +, -, * and bit operations alone, in a fixed order,
// compiled with -ffp-contract=off; IEEE 754 fixes every result. They assume round-to-nearest and no
// flush-to-zero, which is what every thread starts with.
//
// Source    Table-driven reduction after Tang, "Table-driven implementation of the exponential
//           function" (ACM TOMS 1989) and "... of the logarithm function" (1990); logarithms are
//           carried as a sum of two doubles (Dekker 1971), so that pow keeps its accuracy.
// Accuracy  below 0.6 units in the last place for exp2, exp, log2, log, log10; below 0.7 for pow
// and
//           2 for log1p (subnormal results: 1 unit of 2^-1074). A result that is a double is exact:
//           exp2(3) == 8, log2(8) == 3, pow(10, 2) == 100.
// Specials  as in C99 annex F; every NaN is the same quiet NaN.
#pragma once

namespace tidal::detmath {

double exp2(double x);  ///< The fast one: about 4 ns.
double exp(double x);
double log2(double x);   ///< -inf at 0, NaN below.
double log(double x);    ///< The same.
double log10(double x);  ///< The same.
double log1p(double x);  ///< log(1 + x), exact near 0; -inf at -1, NaN below.
double pow(double x, double y);

}  // namespace tidal::detmath
